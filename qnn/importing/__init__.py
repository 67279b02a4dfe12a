# SPDX-License-Identifier: MIT
"""Models from elsewhere: TensorFlow Lite and ONNX files become float models or integer graphs."""
