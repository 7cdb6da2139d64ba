"""Where the study contradicts itself or the paper, as data, with its place in the text."""

import msgspec


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """Two statements that cannot both hold.

    Attributes:
        number: From 1, in the order of the list.
        place: Where in the study, or the study and its source.
        one: One side.
        other: The other side.
        consequence: What follows, or what this program does about it; may be empty.
    """

    number: int
    place: str
    one: str
    other: str
    consequence: str = ""


def _contradictions(*rows: tuple[str, str, str, str]) -> tuple[Contradiction, ...]:
    return tuple(
        Contradiction(number=number, place=place, one=one, other=other, consequence=consequence)
        for number, (place, one, other, consequence) in enumerate(rows, start=1)
    )


CONTRADICTIONS: tuple[Contradiction, ...] = _contradictions(
    (
        "Summary and 5, against the paper",
        "The paper's single CNN has a top-1 error rate of 40.9%, which 59.33% accuracy matches.",
        "The paper's single CNN has 40.7% top-1 error; 40.9% is a top-5 error, on another data set, with six"
        " convolutional layers.",
        "59.33% of 10 classes (chance 10%) is no match for 59.3% of 1000 classes (chance 0.1%) in any case.",
    ),
    (
        "3.5 against 4.1.1 and 4.2.1",
        "The first experiment took 03:17:28 and the second 03:22:33 (text of 3.5).",
        "The baseline took 03:22:33 and the reduced-dropout run 03:17:28 (tables).",
        "The tables are used here.",
    ),
    (
        "4.2.2",
        "The maximum validation accuracy of tanh is 57.91% (text).",
        "It is 59.71% (table).",
        "Decides whether tanh is 1.42 points below the baseline or 0.38 above it.",
    ),
    (
        "Summary against 5",
        "Tanh reaches 25% training error 15 minutes slower than ReLU (summary).",
        "Tanh takes 15 minutes less than ReLU (section 5).",
        "The times, 01:40:41 and 01:25:16, say slower: 925 s, ratio 1.18.",
    ),
    (
        "Claim 1, 4.1.1 and 4.2.1",
        "Dropout reduces overfitting.",
        "Lowering dropout from 0.5 to 0.01 lowered training accuracy (95.76% to 92.48%) and the gap (36.4 to"
        " 32.8 points).",
        "Opposite to the mechanism; one run, and running training accuracy is measured with dropout on.",
    ),
    (
        "Summary against 5 and 2",
        'The result "supports the original paper" (summary); each experiment will support the claims (2).',
        "Only the second claim is supported (5).",
        "",
    ),
    (
        "3.1 against 3.4",
        "The model is exactly the paper's.",
        "Normalisation and pooling are built by MaxPooling2D, so there is no LRN, and it is said to follow"
        " the fifth layer, where the paper has none; 5x5x48 kernels need groups, which plain Conv2D lacks.",
        "The front end literal32 has no LRN and no groups; same32 has both.",
    ),
    (
        "5",
        "The only difference from the paper is the use of CIFAR-10.",
        "Input size, LRN, groups, learning-rate schedule, ten-crop testing and initial weights differ too, or"
        " are not stated.",
        "",
    ),
    (
        "3.2",
        "Experiments run on a subset of CIFAR-10, whose images are 32 x 32 matrices.",
        "The whole 50,000/10,000 split is used, and an image has three channels.",
        "",
    ),
    (
        "3.2, against the paper",
        "The paper conducts experiments on NORB and Caltech-101/256.",
        "The paper only names them.",
        "",
    ),
    (
        "3.2 and 4",
        "Accuracy is called validation accuracy.",
        "It is measured on the test set, which also chooses the epoch of the maximum.",
        'Such maxima are shown here only under the words "selected on test".',
    ),
    (
        "3.3 against 4.2",
        "There are two extra experiments.",
        "Three are run.",
        "",
    ),
    (
        "3.5",
        "All runs used the default GPU of Colab.",
        "They used 1 CPU; Colab's default runtime has no GPU.",
        "The device is unknown, so ratios of time are for interest only.",
    ),
    (
        "4.2.3",
        "One convolutional layer fewer cut the time to 0.54 of the baseline's.",
        "Dropping a 3x3 layer saves 7 to 26% of the arithmetic at 227 px, 4 to 13% of same32's and 1.5 to 5.4% of"
        " literal32's; only removing layer 2, or another machine, would explain it. Which layer was removed is not"
        " said.",
        "Layer 4 is removed here: the only one whose removal changes no other layer.",
    ),
    (
        "4",
        'Validation accuracy converges in about 20, 30, 40 and 40 "iterations".',
        "Epochs are meant; the maxima are at epochs 48, 92, 65 and 81; and 40 is both"
        ' "much slower" (4.2.2) and "slower" (4.2.3).',
        "Convergence is defined here by a formula instead of by eye.",
    ),
    (
        "5 against 3.3",
        "The high learning rate may explain the result of the third extra experiment.",
        "No learning rate is stated anywhere; the remedy proposed is 1e-6 to 1e-7 for 1e6 to 1e7 epochs.",
        "",
    ),
    (
        "Figures 4 and 5; 5",
        'The figures are captioned "Original Model".',
        "They show the tanh and the four-layer model; and the discussion of dropout breaks off at"
        ' "that might be because".',
        "",
    ),
    (
        "Everywhere",
        "All hyperparameters are those of the original experiment.",
        "Learning rate, its schedule, initial weights, augmentation, preprocessing, padding, seeds and"
        " software versions are not given.",
        "Each is a recorded hyperparameter here.",
    ),
    (
        "3.1",
        "Weight decay is 0.0005.",
        "In Keras of that time SGD(decay=...) was a decay of the learning rate per update, which would cut it"
        " twentyfold by epoch 100.",
        "Plausible, and not provable without their code; weight decay is used here.",
    ),
    (
        "Summary and 3.2, against the paper",
        "CIFAR-10 is a data set that the paper's authors examined, and measured their models on, as well.",
        "The paper never runs AlexNet on CIFAR-10: only a four-layer network (its 3.3 and Figure 1).",
        "",
    ),
    (
        "3.1 against 3.2",
        "The first layer filters the 224x224x3 input image.",
        "The images are 32x32, and no resizing is said.",
        "The front ends here are the readings: literal32, same32, resize227.",
    ),
    (
        "Summary and 4.2, against 2",
        "The extra experiments are outside the scope of the paper.",
        "They test claims made in the original article.",
        "",
    ),
    (
        "5 against 4.1.1",
        "The accuracy is 59.33% after running 100 epochs.",
        "59.33% is the maximum, at epoch 48.",
        "After epoch 48 it can only have been lower.",
    ),
    (
        "Summary, against 3.2 and the paper",
        "CIFAR-10 has the same form of image as ImageNet.",
        "Its images are 32 x 32; ImageNet's are photographs of any size, cut to 224 x 224 by the paper.",
        "",
    ),
)
