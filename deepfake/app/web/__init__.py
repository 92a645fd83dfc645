"""web: an exported detector as a page of static files, which judges pictures within the browser."""
