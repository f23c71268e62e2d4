"""What the cards cite: the project, papers and data sets."""

from dataclasses import dataclass

# Where the project is on GitHub, which torch.hub loads it from: said here, in hubconf.py and in the
# README, and a test compares them. OWNER stands for the account until there is one.
GITHUB = "OWNER/flowzoo"


@dataclass(frozen=True)
class Paper:
    """A paper that introduced an architecture.

    Attributes:
        title: Short name, authors and year.
        url: Where to read it.
        bibtex: Its entry.
    """

    title: str
    url: str
    bibtex: str


@dataclass(frozen=True)
class Dataset:
    """A data set as the cards name it.

    Attributes:
        title: Its name.
        hub: Its id on the Hugging Face Hub, if it is there.
        licence: Authors and licence if its images may be redistributed, else None.
    """

    title: str
    hub: str | None
    licence: str | None


CINC = Paper(
    "CInC Flow (Nagar, Dufraisse & Varma, 2021)",
    "https://arxiv.org/abs/2107.01358",
    """@article{cinc,
  title={CInC Flow: Characterizable Invertible 3x3 Convolution},
  author={Nagar, Sandeep and Dufraisse, Marius and Varma, Girish},
  journal={arXiv:2107.01358}, year={2021}
}""",
)
FINC = Paper(
    "FInC Flow (Kallappa, Nagar & Varma, 2023)",
    "https://arxiv.org/abs/2301.09266",
    """@article{finc,
  title={FInC Flow: Fast and Invertible k x k Convolutions for Normalizing Flows},
  author={Kallappa, Aditya and Nagar, Sandeep and Varma, Girish},
  journal={arXiv:2301.09266}, year={2023}
}""",
)
CONF = Paper(
    "CONF, invertible convolutional flow (Karami et al., 2019)",
    "https://papers.nips.cc/paper/2019/hash/b1f62fa99de9f27a048344d55c5ef7a6-Abstract.html",
    """@inproceedings{conf,
  title={Invertible Convolutional Flow},
  author={Karami, Mahdi and Schuurmans, Dale and Sohl-Dickstein, Jascha and Dinh, Laurent and
          Duckworth, Daniel},
  booktitle={NeurIPS}, year={2019}
}""",
)
EMERGING = Paper(
    "Emerging convolutions (Hoogeboom, van den Berg & Welling, 2019)",
    "https://arxiv.org/abs/1901.11137",
    """@inproceedings{emerging,
  title={Emerging Convolutions for Generative Normalizing Flows},
  author={Hoogeboom, Emiel and van den Berg, Rianne and Welling, Max},
  booktitle={ICML}, year={2019}
}""",
)
GLOW = Paper(
    "Glow (Kingma & Dhariwal, 2018)",
    "https://arxiv.org/abs/1807.03039",
    """@inproceedings{glow,
  title={Glow: Generative Flow with Invertible 1x1 Convolutions},
  author={Kingma, Diederik P. and Dhariwal, Prafulla},
  booktitle={NeurIPS}, year={2018}
}""",
)

# By architecture.
PAPERS = {
    "cinc": CINC,
    "cinc_quad": CINC,
    "finc": FINC,
    "conf": CONF,
    "emerging": EMERGING,
    "glow": GLOW,
}

DATASETS = {
    "mnist": Dataset("MNIST", "ylecun/mnist", "Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0"),
    "fashion_mnist": Dataset("Fashion-MNIST", "zalando-datasets/fashion_mnist", "Zalando SE; MIT"),
    "cifar10": Dataset("CIFAR-10", "uoft-cs/cifar10", None),
    "imagenet32": Dataset("downsampled ImageNet, 32 x 32", None, None),
    "imagenet64": Dataset("downsampled ImageNet, 64 x 64", None, None),
    "celeba64": Dataset("CelebA, 64 x 64", None, None),
    "galaxy": Dataset("galaxies that do not interact (Ackermann et al., 2018)", None, None),
    "folder": Dataset("a folder of images", None, None),
    "digits": Dataset("scikit-learn's digits", None, "E. Alpaydin, C. Kaynak; CC BY 4.0"),
}


def dataset_of(name: str) -> Dataset:
    """What is known of a data set; of an unknown one, its name."""
    return DATASETS.get(name, Dataset(name, None, None))
