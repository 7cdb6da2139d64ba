"""In and out.

Archives of runs and studies: `archive_export` packs, `archive_unpack` takes files of records (`archive_files`) out of a
hostile one, `archive_import` joins them to a runs folder. Histories leave as `csv_json` and `tensorboard`; those of
other programs (`foreign`) come from TensorBoard's logs (`log_history`) and tables (`csv_history`).
"""
