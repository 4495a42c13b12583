"""`./run chaos`: random faults while clients of many accounts work, checked against the model."""
