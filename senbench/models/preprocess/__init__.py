"""From a raw tile to pixels at the model's input size, on the host or on the device."""
