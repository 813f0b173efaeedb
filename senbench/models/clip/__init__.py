"""Plain CLIP in torch alone: ViT, ResNet and the byte-pair tokenizer."""
