"""Where pixel data and attributes come from: a file (read by the core) or a pydicom Dataset."""
