"""The trainer: MXNet's Module or Gluon trains networks on .rec files and writes checkpoints, logs and pictures."""
