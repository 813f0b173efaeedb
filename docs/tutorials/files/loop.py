"""A model object in a training loop."""

import senbench


class MyModel:
    """Anything with these two methods; `name` and `logit_scale` are optional."""

    name = "my-model, epoch 20"

    def __init__(self):
        self.net = senbench.load_model("my.toml")
        self.logit_scale = self.net.logit_scale

    def encode_images(self, tiles):  # list of uint8 arrays (H, W, 3), no preprocessing done
        return self.net.encode_images(tiles)  # (N, D), NumPy or torch

    def encode_texts(self, texts):
        return self.net.encode_texts(texts)


result = senbench.evaluate(MyModel(), "demo", "generic")
top1 = result.metrics["top1"]
print(f"{top1.value:.3f} [{top1.ci[0]:.3f}, {top1.ci[1]:.3f}]")
