"""The bundled trainer: MXNet's Module or Gluon, fed from packed files, with everything that a run leaves."""
