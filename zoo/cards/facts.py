"""The project's own addresses."""

# On GitHub, which torch.hub loads it from: said here, in hubconf.py and in the README, and a test
# compares them. OWNER stands for the account until there is one.
GITHUB = "OWNER/flowzoo"
