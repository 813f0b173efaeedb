"""Files and downloads: resumable transfers, parquet, JSON with a checksum, embeddings made elsewhere."""
