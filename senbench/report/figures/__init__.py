"""Figures of results for papers, drawn by matplotlib, each with a caption that keeps what qualifies it."""
