"""Result files: storage, predictions per image, run ids, tables, and what comparisons read of them."""
