"""Result files: layout, storage, export."""
