"""The report on runs: its content, its wording, and its formats (Markdown, LaTeX, HTML, JSON); pictures of networks."""
