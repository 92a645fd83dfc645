"""pages: what a person looks at: sheets, charts, the report, the model card."""
