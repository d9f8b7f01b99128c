"""``cxrkit search``: a task's hyper-parameters tried one set after another, chosen on validation alone."""
