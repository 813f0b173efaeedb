"""Image classification datasets of the Hugging Face hub."""
