"""The undo of a job: what can be undone, the images of changes, and the statements that restore contacts."""
