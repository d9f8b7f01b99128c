"""Every hook of a stranger's plugin doing harm, by the real command: named, ended, and the other tasks go on."""

import json
import sys

import pytest

from cxrkit.records import Metrics

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="processes and signals are POSIX's"),
]

OF_TRAINING = """
    import os, random, sys, threading, time, warnings
    import numpy as np
    import torch
    from torch import nn
    import cxrkit
    from cxrkit.api import Imbalance

    def harmless(num_classes):
        print("building")
        os.chdir("/")
        random.seed(3)
        sys.stdout.close()
        threading.Thread(target=time.sleep, args=(600,)).start()
        return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, num_classes))

    def hanging(num_classes):
        time.sleep(600)

    class Leaving(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.body = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, num_classes))

        def forward(self, images):
            if len(images) > 1 and not self.training:
                sys.exit(0)
            return self.body(images)

    class Shortened(Leaving):
        def forward(self, images):
            return self.body(images)[: None if self.training else 1]

    def text(num_classes):
        return "a model"

    def interrupting(num_classes):
        raise KeyboardInterrupt

    def leaving(labels, num_classes):
        sys.exit(5)

    def vanishing(labels, num_classes):
        os._exit(6)

    def listed(labels, num_classes):
        labels[:] = 0
        return [1, 2]

    def strange_order(labels, num_classes):
        def indices(epoch, rng):
            raise LookupError("no order")
        return Imbalance(epoch_indices=indices)

    def strange_loss(labels, num_classes):
        def loss(logits, labels):
            raise LookupError("no loss")
        return Imbalance(loss=loss)

    def leaving_loss(labels, num_classes):
        return Imbalance(loss=lambda logits, labels: sys.exit(4))

    def heavy(labels, num_classes):
        return Imbalance(class_weights=[1, 2, 3])

    def replacing(context):
        context.model = None

    def stopping(context):
        from cxrkit.errors import StopTraining
        raise StopTraining("enough")

    def odd(context):
        class Odd(BaseException):
            pass
        raise Odd("very")

    @cxrkit.hookimpl
    def cxrkit_register_models():
        return {"harmless": harmless, "hanging": hanging, "text": text, "interrupting": interrupting,
                "network": Leaving, "short": Shortened}

    @cxrkit.hookimpl
    def cxrkit_register_imbalance_strategies():
        return {"leaving": leaving, "vanishing": vanishing, "listed": listed, "order": strange_order,
                "loss": strange_loss, "leaving-loss": leaving_loss, "heavy": heavy}

    @cxrkit.hookimpl
    def cxrkit_register_trainers():
        return {"odd": odd, "replacing": replacing, "stopping": stopping}

    @cxrkit.hookimpl
    def cxrkit_epoch_finished(context, row):
        warnings.warn("watch out")
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        context.epochs = 100
"""
OF_EVALUATION = """
    import os, sys, time
    import numpy as np
    import cxrkit
    from cxrkit.api import Figure, MetricReport, ReportSection

    def good(predictions, settings):
        print("reporting")
        return MetricReport((Figure("share", np.float32(0.5), low=float("nan"), n=3),))

    def writing(predictions, settings):
        predictions.probabilities[:] = 0
        return MetricReport(())

    def leaving(predictions, settings):
        sys.exit(0)

    def hanging(predictions, settings):
        time.sleep(600)

    def wrong(predictions, settings):
        return MetricReport((Figure("share", "much"),))

    def refusing(predictions, settings):
        from cxrkit.errors import InputError
        raise InputError("no such column")

    def late(study):
        time.sleep(600)

    @cxrkit.hookimpl
    def cxrkit_register_metric_reporters():
        return {"good": good, "writing": writing, "leaving": leaving, "hanging": hanging, "wrong": wrong,
                "refusing": refusing}

    @cxrkit.hookimpl
    def cxrkit_register_report_sections():
        return {"late": late, "out": lambda study: sys.exit(2), "stop": stop}

    def stop(study):
        raise KeyboardInterrupt

    @cxrkit.hookimpl
    def cxrkit_run_finished(run):
        run.tasks["harmless"] = "failed"
"""
HEAD = """
[run]
output = "run"
device = "cpu"
workers = 0
plugin_minutes = 0.1
[data]
root = "data"
dataset = "phantom"
image_size = 32
groups = "kermany"
validation = { from = "train", fraction = 0.3 }
[defaults]
model = "harmless"
epochs = 1
[explain]
method = "none"
[report]
formats = ["txt"]
"""
TASKS = {
    "harmless": "",
    "hanging": 'model = "hanging"',
    "text": 'model = "text"',
    "interrupting": 'model = "interrupting"',
    "leaving": 'imbalance = "leaving"',
    "vanishing": 'imbalance = "vanishing"',
    "listed": 'imbalance = "listed"',
    "order": 'imbalance = "order"',
    "loss": 'imbalance = "loss"',
    "odd": 'trainer = "odd"',
    "network": 'model = "network"',
    "short": 'model = "short"',
    "leaving-loss": 'imbalance = "leaving-loss"',
    "heavy": 'imbalance = "heavy"',
    "replacing": 'trainer = "replacing"',
    "stopping": 'trainer = "stopping"',
}
OF = "of bad-training 1.2, cxrkit_register_"


def test_what_a_training_plugin_does_ends_its_own_task(study, strangers, install):
    install("bad-training", OF_TRAINING, group="cxrkit.train")
    blocks = "".join(f'[[task]]\nname = "{name}"\n{keys}\n' for name, keys in TASKS.items())
    study.write(HEAD + blocks + "[evaluation]\nresamples = 100\n")
    result = study.cxrkit_run("--json", PYTHONPATH=str(strangers))
    assert result.returncode == 1, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["tasks"] == {name: "finished" if name == "harmless" else "failed" for name in TASKS}
    failures = outcome["failures"]
    assert "was not done after 6 seconds" in failures["hanging"]
    assert "is a str, must be a torch.nn.Module" in failures["text"]
    assert "failed (KeyboardInterrupt)" in failures["interrupting"]
    assert "called sys.exit(5)" in failures["leaving"]
    assert "ended with status 6 while imbalance strategy" in failures["vanishing"]
    assert "returned list, must return cxrkit.api.Imbalance" in failures["listed"]
    assert "failed (LookupError: no order)" in failures["order"]
    assert "failed (LookupError: no loss)" in failures["loss"]
    assert "failed (Odd: very)" in failures["odd"]
    assert 'model "network" (plugin "extra"' in failures["network"]
    assert "called sys.exit(0)" in failures["network"]
    assert "gave [1, 2] for" in failures["short"]
    assert "called sys.exit(4)" in failures["leaving-loss"]
    assert "its class_weights are [1.0, 2.0, 3.0], must be 2 numbers above 0" in failures["heavy"]
    assert "left another network (NoneType) in context.model" in failures["replacing"]
    assert "raised StopTraining, although nobody wants to stop" in failures["stopping"]
    for name, failure in failures.items():
        assert OF in failure, name
    assert "cxrkit_epoch_finished failed (AttributeError: sets context.epochs" in result.stderr


def test_what_an_evaluation_plugin_does_is_a_warning(study, strangers, install):
    install("bad-evaluation", OF_EVALUATION)
    reporters = '["classification", "good", "writing", "leaving", "hanging", "wrong", "refusing"]'
    head = HEAD.replace('"harmless"', '"resnet18"').replace('["txt"]', '["txt"]\nsections = ["late", "out", "stop"]')
    study.write(head + f'[[task]]\nname = "plain"\n[evaluation]\nresamples = 100\nreporters = {reporters}\n')
    result = study.cxrkit_run("--json", PYTHONPATH=str(strangers))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["tasks"] == {"plain": "finished"}
    by = '(plugin "extra" of bad-evaluation 1.2, cxrkit_register_'
    for sentence in (
        f'metric reporter "writing" {by}metric_reporters) on task "plain", set "val" failed (ValueError: assignment',
        f'metric reporter "leaving" {by}metric_reporters) on task "plain", set "test" called sys.exit(0)',
        f'metric reporter "hanging" {by}metric_reporters) on task "plain", set "val" was not done after 6 seconds',
        f'metric reporter "wrong" {by}metric_reporters) on task "plain", set "test": returned a figure whose value',
        f'metric reporter "refusing" {by}metric_reporters) on task "plain", set "test": no such column',
        f'report section "late" {by}report_sections) was not done after 6 seconds',
        f'report section "out" {by}report_sections) called sys.exit(2)',
        f'report section "stop" {by}report_sections) failed (KeyboardInterrupt)',
        "cxrkit_run_finished failed (TypeError: 'mappingproxy' object does not support item assignment)",
    ):
        assert sentence in result.stderr, sentence
    metrics = Metrics.read(study.run / "tasks" / "plain" / "metrics.json")
    assert {one.metric for one in metrics.records} >= {"roc_auc", "share"}
    assert next(one for one in metrics.records if one.metric == "share").low is None
    told = " ".join((study.run / "report" / "comparison_report.txt").read_text(encoding="utf-8").split())
    assert 'metric reporter "hanging"' in told
