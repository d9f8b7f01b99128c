"""The chapters of a report: what each tells, made of blocks from what the run directories hold."""
