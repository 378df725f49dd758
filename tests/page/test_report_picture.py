"""The picture of a report that the documentation shows is made by a script."""

from PIL import Image

from scripts import report_picture
from tests.page.chromium import IN_CHROMIUM
from tests.support.runs import GAN_CONFIG, gan_rows, write_run
from wgan_lip.page import write_page
from wgan_lip.report import read_run

pytestmark = IN_CHROMIUM


def test_it_shows_the_top_of_the_page(tmp_path):
    run = write_run(tmp_path / "digits" / "a", gan_rows(), GAN_CONFIG)
    write_page(tmp_path / "page.html", [read_run(run)])
    words = [str(tmp_path / "page.html"), str(tmp_path / "picture.png"), "--height", "600"]
    assert report_picture.main(words) == 0
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (1280, 600)
        colors = picture.convert("RGB").getcolors(1 << 24)
    # The blue of the exact W1 is there.
    assert sum(count for count, color in colors if color == (47, 127, 193)) > 20
