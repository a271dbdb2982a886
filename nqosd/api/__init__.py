"""What Kubernetes objects say, as frozen values; decoding and validation without any I/O."""
