"""The process: lazy imports, folders, progress, devices and the processes of torchrun."""
