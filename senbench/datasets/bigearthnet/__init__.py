"""BigEarthNet v1 and v2: patches, labels, tables, download."""
