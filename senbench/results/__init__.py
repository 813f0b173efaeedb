"""Result files: storage, predictions per image, run ids, tables, and the inputs of comparisons."""
