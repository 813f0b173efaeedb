"""Columns that the tables of the command line and of the pages show next to the headline."""

from __future__ import annotations

COLUMNS = {
    "single-label": (("balanced", "balanced_accuracy"), ("macro\nF1", "f1_macro"), ("ECE", "ece")),
    "multi-label": (("micro\nmAP", "map_micro"), ("R-prec.\nmicro", "r_precision_micro"), ("LRAP", "lrap")),
}
"""Columns next to the headline, by task: title and metric."""
TITLES = {
    "top1": "top-1",
    "top5": "top-5",
    "f1_macro": "macro F1",
    "map_macro": "macro mAP",
    "map_micro": "micro mAP",
    "lrap": "LRAP",
    "r_precision_micro": "micro R-prec.",
    "ece": "debiased ECE",
    "ece_l1": "ECE, l1",
    "nll": "NLL",
    "brier": "Brier",
}
RAW = ("nll", "brier")
"""Figures that are not shares and hence not shown in percent."""
LINES = {
    "chance": "top1",
    "majority": "top1",
    "prevalence": "map_macro",
    "prevalence_micro": "map_micro",
    "constant_ranking": "r_precision_micro",
}
"""Reference line -> the metric to which it belongs."""
