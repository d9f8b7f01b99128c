"""The explanations of the glossary, for readers who are no statisticians; examples are small and made up."""

FIGURES = {
    "sensitivity": """Of the images with the disease, the share that the model finds; recall of the positive class is
        the same. At 90%, 10 of 100 diseased are missed.""",
    "specificity": """Of the images without the disease, the share that the model rightly clears. At 90%, 10 of 100
        without the disease get a false alarm.""",
    "roc_auc": """Area under the ROC curve: of all pairs of one image with and one without the disease, the share in
        which the diseased one gets the higher probability. 0.5 is guessing, 1 is perfect. It depends on no
        threshold, so it says nothing of how well the model decides at one.""",
    "roc_auc_against_all": """The AUC of a subgroup that is all diseased, or all not: its images are set against all
        those of the other kind, since it has none of its own.""",
    "roc_auc_macro": "The mean over the classes of the AUC of each class against all others.",
    "average_precision": """Precision, averaged over all levels of recall: in effect the area under the curve of
        precision over recall. 1 is perfect; guessing gives the share of the disease, so that sets with different
        shares cannot be compared by it.""",
    "average_precision_macro": "The mean over the classes of the average precision of each against all others.",
    "ppv": """Positive predictive value: of the positive calls, the share that is right. It depends on how frequent the
        disease is. Take a sensitivity and specificity of 90% each, and 1,000 people of whom 10 have the disease: 9 of
        them are found, but 99 of the 990 others get a false alarm, so that 9 of 108 positive calls are right, or
        8%.""",
    "npv": """Negative predictive value: of the negative calls, the share that is right. In the example given for PPV,
        891 of 892 are; but calling everyone healthy would be right for 990 of 1,000 as well.""",
    "accuracy": """The share of all images that is called rightly. If 90 of 100 have the disease, calling all of them
        diseased is 90% accurate, so it should not be read alone.""",
    "balanced_accuracy": """The mean of the classes' recalls, with two classes of sensitivity and specificity. Guessing
        gives 50% with two classes, however frequent each is.""",
    "precision": """Of the images that are called a class, the share that shows it. Of the positive class it is the
        PPV.""",
    "recall": """Of the images that show a class, the share that is called so. Of the positive class it is the
        sensitivity.""",
    "f1": """One number for precision and recall of a class, high only where both are: their harmonic mean. A precision
        of 90% with a recall of 50% gives 64%.""",
    "f1_macro": "The mean of the F1 of every class.",
    "support": "How many images show the class.",
    "mcc": """Matthews correlation coefficient, of truth and call: 1 where every call is right, 0 for guessing, -1
        where every call is wrong.""",
    "brier": """The mean squared distance of the probability from the truth, which is 1 with the disease and 0 without:
        less is better, 0 is perfect. A probability of 50% for every image gives 0.25.""",
    "brier_reliability": """The part of the Brier score that comes from probabilities that are too high or too low: less
        is better.""",
    "brier_resolution": """The part of the Brier score that comes from telling images apart: more is better, and is
        taken off.""",
    "brier_uncertainty": """The part of the Brier score that comes from the mix of images alone; it is the same for
        every model.""",
    "brier_within_bins": "What the division into bins leaves over of the Brier score; near 0.",
    "log_loss": """Less is better, 0 is perfect; a probability of 50% for every image gives 0.69. One confident mistake
        costs more than many hesitant ones.""",
    "calibration_intercept": """Whether the probabilities are too low (above 0) or too high (below 0) on the whole; 0
        is right.""",
    "calibration_slope": """Whether the probabilities are too extreme (below 1) or too timid (above 1); 1 is right.""",
    "ece_equal_width": """Expected calibration error: images are sorted into bins by their probability, such as 70 to
        80%; how far the share of diseased in a bin lies from the mean probability there, averaged over bins of equal
        width. Less is better. It is corrected for its bias and has no interval.""",
    "ece_equal_mass": "Expected calibration error, as with equal width, over bins of equally many images.",
    "lr_positive": """Likelihood ratio of a positive call: by how much it multiplies the odds of disease. At 10, odds of
        1 to 9 (10%) become 10 to 9 (53%).""",
    "lr_negative": """Likelihood ratio of a negative call. At 0.1, odds of 1 to 9 (10%) become 1 to 90 (1%).""",
    "net_benefit": """True positives minus false positives, per image, a false one counted with the weight that the
        threshold probability gives it (Vickers and Elkin 2006). 0.05 is worth as much as finding 5 in 100 without any
        false alarm. Better than treating everyone or no one is the least to ask.""",
    "prevalence": "How frequent the disease is: its share of the images, or a stated share of the people.",
    "no_result": "The share of images that the model returned no result for.",
}
"""Figures: metric → what it means."""

TERMS = {
    "Activation map": """A picture of which regions of an image moved the model's call, drawn as colours over it; also
        class activation map (CAM). It shows where, not why, and it outlines no lesion.""",
    "Assuming independent images": """Takes several images of one patient for several patients. That makes intervals too
        narrow; it stands beside the other figures for comparison with work that does so.""",
    "Augmentation": """Random changes of training images, such as crops and flips, so that a model learns what stays
        the same.""",
    "Bootstrap": """The patients are drawn again and again from those at hand, with repeats, and the figure is computed
        of each draw: how far it moves shows how uncertain it is.""",
    "By patient": """Images of one patient are not independent. Counted by patient, each counts once, by the largest or
        the mean probability of the images.""",
    "Calibration": """Whether probabilities can be taken at their word: of images given 70%, do 70 of 100 show the
        disease?""",
    "Class imbalance": """One class has many more training images than another. Weights or repeated images make up for
        it, and distort the probabilities.""",
    "Complete cases": """The images with a result alone. In the worst case, which comes first, an image without a result
        counts as a wrong call.""",
    "Confusion matrix": "A table of what the images show against what the model calls them.",
    "Cross-validation": """Images are divided into parts; each part is judged by a model that was made of the
        others.""",
    "Decision curve": """Net benefit over all threshold probabilities, beside treating everyone and treating no one.""",
    "Design effect": """How much less several images of one patient tell than as many patients would. At 1.1, 110 images
        tell as much as 100 independent ones.""",
    "Drift": "Images that look different in one set than in another, such as darker ones.",
    "Ensemble": "Several models as one: the mean of what they say.",
    "Epoch": "One round of training over all training images. The round that does best on validation is kept.",
    "Exploratory": "Not fixed beforehand, or not corrected for the number of tests: it suggests, it does not prove.",
    "External set": "Images of another origin than those that the models were made with.",
    "Heterogeneity": """Whether a figure differs between subgroups by more than chance would make it, tested by the Wald
        statistic.""",
    "Holm's correction": """With many tests, some come out by chance. The correction makes p values larger, so that
        the chance of even one false finding among all tests stays small.""",
    "Interval of a threshold": """How far the threshold would move if it were chosen on another validation set of the
        same size. The intervals of figures hold at the threshold as it is, and do not contain this.""",
    "Logit": """A probability on a scale without ends: the logarithm of the odds; 50% is 0, 90% is 2.2, 10% is -2.2.""",
    "Loss": "What training makes smaller: how far the model's probabilities are from the labels.",
    "Met, not met, undecided": """A goal is met where the whole interval reaches it, not met where the whole interval
        stays below, and undecided where it lies within.""",
    "Near duplicate": "Two files that show nearly the same picture.",
    "Non-inferiority": """Whether a model is worse than the reference by less than a margin that was stated
        beforehand.""",
    "Operating point": "A threshold together with the sensitivity and specificity that it gives.",
    "p value": """How often chance alone would give a difference at least this large if there were none. It says nothing
        about how large or how important a difference is.""",
    "Paired": """Both models have judged the same images, and are compared image by image. That shows smaller
        differences than two separate studies would.""",
    "Parameter randomisation": """Learnt parameters replaced by random ones. A map that stays the same does not show
        what the model has learnt.""",
    "Percentage points (pp)": "The difference of two shares: from 90% to 95% it is 5 percentage points.",
    "Permutation test": """The calls of both models are swapped at random, patient by patient, again and again: how
        often is the difference as large as it was?""",
    "Pointing game": "How often the strongest point of a map lies within the marked lesion.",
    "Precision\N{EN DASH}recall curve": """PPV over sensitivity, at every threshold. It depends on how frequent the
        disease is.""",
    "Prior-corrected": """Weights and resampling against class imbalance distort probabilities. The correction shifts
        them back to the class shares of the training images.""",
    "Rank correlation": """How alike two maps, or two rankings, are: 1 the same, 0 unrelated, -1 reversed; by
        Spearman.""",
    "Reliability diagram": """The share of diseased over the probability that was given. On the diagonal, probabilities
        can be taken at their word; below it they are too high.""",
    "ROC curve": """Sensitivity over the share of false alarms, at every threshold. The nearer to the upper left corner,
        the better; the diagonal is guessing.""",
    "Robustness": "How figures change when the images get worse, while the model stays as it is.",
    "Score, decision": """A score ranks images and is no probability; a decision is a bare call. Figures that need more
        cannot be given.""",
    "Seed": """The number that starts the random draws of a training. Another seed gives another model; the spread over
        seeds is not contained in the intervals.""",
    "Shortcut": """What tells the class without being disease, such as borders, markers or the size of a file. A model
        that uses it fails where it is absent.""",
    "Temperature scaling": """All logits divided by one number, fitted on validation, so that the probabilities are
        neither too extreme nor too timid. It changes no ranking.""",
    "Test-time augmentation": """An image is judged in several slightly changed views of it, and what the model says of
        each is averaged. It costs as many times the computing.""",
    "Threshold": """The probability (or score) from which on an image is called positive. A lower one finds more and
        raises more false alarms.""",
    "Threshold probability": """From which probability of disease on one would act. At 10%, a patient found is held to
        be worth nine false alarms.""",
    "Training, validation and test set": """A model is fitted on training images; decisions (epoch, threshold) are taken
        on validation images; the test images are for the figures alone.""",
    "Uncertain zone": """Between two thresholds the model does not decide, and the image goes to a reader. Figures of
        the decided images look better than those of all: the difficult ones are left out.""",
    "Youden's index": """Sensitivity plus specificity minus 1. A threshold by this rule counts a missed patient and a
        false alarm alike, each as a share of its class.""",
}
"""Terms that not every report uses."""

METHODS = {
    "Wilson": "intervals of shares, such as sensitivity",
    "DeLong": "intervals and tests of AUC",
    "Obuchowski": "the same where a patient has several images",
    "McNemar": "test of two shares on the same images",
    "Bonett-Price": "intervals of differences of two such shares",
    "Donner-Zou": "intervals of what is made of two shares, such as likelihood ratios",
    "Wald": "test of whether figures differ between groups",
}
"""Methods that are called after those who published them → what for."""
