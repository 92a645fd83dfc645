"""door: the log is opened here; where its libraries are not installed, that is said."""

from typing import TYPE_CHECKING

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    from deepfake.app.log.book import Log


def opened(create: bool = True) -> "Log":
    """The log of DEEPFAKE_DB_URL, or of the file that is used without. Raises UserError; see book."""
    try:
        from deepfake.app.log import book

        return book.opened(create)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "deepfake":
            raise
        raise UserError(f"the log lacks a library: {error}", "pip install 'deepfake[db]'") from None
