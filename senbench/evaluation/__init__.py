"""A run: data opened, tiles and texts embedded, cells scored and recorded."""
