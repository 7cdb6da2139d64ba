"""Widgets that more than one screen uses: bars, dialogs, forms, help and text."""
