"""Ground norms: distances of pairs, in blocks, and the widths of boxes."""

import numpy as np
import pytest

from wgan_lip.transport import norm as norms
from wgan_lip.transport.norm import box_diameter, check_norm, paired, pairwise


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("held", [1, 6, 7, 2**20])
def test_distances_of_pairs_are_those_of_all_in_blocks_of_any_size(norm, held, monkeypatch):
    sizes, plain = [], np.linalg.norm

    def counted(difference, **options):
        sizes.append(len(difference))
        return plain(difference, **options)

    monkeypatch.setattr(norms, "_HELD", held)
    monkeypatch.setattr(np.linalg, "norm", counted)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(9, 3))
    rows, columns = rng.integers(0, 8, size=20), rng.integers(0, 9, size=20)
    expected = pairwise(x, y, norm)[rows, columns]
    np.testing.assert_allclose(paired(x, y, rows, columns, norm), expected, rtol=1e-14)
    # As many pairs at once as coordinates may be held, but at least one.
    assert max(sizes) == min(20, max(1, held // 3))
    assert sum(sizes) == 20


def test_known_distances():
    x, y = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    assert [float(pairwise(x, y, norm)[0, 0]) for norm in ("l2", "l1", "linf")] == [5, 7, 4]


@pytest.mark.parametrize(("norm", "expected"), [("l2", 6.0), ("l1", 12.0), ("linf", 3.0)])
def test_a_box_is_as_wide_as_its_diagonal(norm, expected):
    assert box_diameter(3, 4, norm) == pytest.approx(expected)
    assert isinstance(box_diameter(3, 4, norm), float)


def test_unknown_norms_are_refused():
    with pytest.raises(ValueError, match=r"^norm must be one of l2, l1, linf; got norm='l3'$"):
        check_norm("l3")
