import os

# Before huggingface_hub is imported: no test may wait for a network that is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
