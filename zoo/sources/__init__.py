"""Where a model comes from: a name of the zoo, a folder, or the Hugging Face Hub."""
