"""The first run of a person: about half a minute of training on two free cores, without a download.

Whatever proposes a first run proposes this one.
"""

from alexnet_tui.config.hyperparameters import RunConfig, command_words

FIRST_RUN = RunConfig(data="synthetic", epochs=12, train_images=2500, learning_rate=0.05)
FIRST_RUN_WORDS = tuple(command_words(FIRST_RUN))
"""The command that trains it, without the program's name."""
