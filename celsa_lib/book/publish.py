"""What a published book needs: its address in pages, a site map, a card, a page for lost readers.

One setting decides: `repository.url` in _config.yml. Without it no page names another host.
"""

from pathlib import Path
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment, PackageLoader

from celsa_lib.book.colab import COLAB, add_setup, to_copies
from celsa_lib.errors import ConfigError
from celsa_lib.files import write_whole

BINDER = "https://mybinder.org"  # builds environment.yml, so what it runs is pinned
PDF = "celsa.pdf"  # .github/workflows/publish.yml puts it beside the pages


def repository(work: Path) -> tuple[str, str]:
    """URL and branch of the repository of the book of `work`; an empty URL if it has none yet."""
    config = yaml.safe_load((work / "_config.yml").read_text(encoding="utf-8"))
    named = config["repository"]
    return named["url"].rstrip("/").removesuffix(".git"), named["branch"]


def address(work: Path) -> str:
    """Where GitHub Pages publishes the book of `work`, "" if nowhere. Raises ConfigError."""
    url = urlsplit(repository(work)[0])
    if not url.netloc:
        return ""
    parts = url.path.strip("/").split("/")
    if url.netloc != "github.com" or len(parts) != 2:
        raise ConfigError(
            f"repository.url in _config.yml must be like https://github.com/owner/name, "
            f"got {url.geturl()}; leave it empty to build a book without a public address"
        )
    return f"https://{parts[0].lower()}.github.io/{parts[1]}/"


def configure(work: Path) -> None:
    """With an address: canonical links, the PDF, and buttons to run notebooks elsewhere."""
    if not (base := address(work)):
        return
    file = work / "_config.yml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["html"]["baseurl"] = base
    config["parse"]["myst_substitutions"]["on_paper"] = f"[the whole book as a PDF]({base}{PDF})"
    url, branch = repository(work)
    # The options of the theme are ours as a whole: Jupyter Book merges nothing into them.
    config["sphinx"]["config"]["html_theme_options"] |= {
        "repository_url": url,
        "repository_branch": branch,
        "launch_buttons": {"binderhub_url": BINDER, "colab_url": COLAB},
    }
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    write_whole(file, lambda out: out.write(text.encode()))


def publish(html: Path, pages: list[str], work: Path) -> None:
    """Write 404.html into the folder `html` of a built book whose sources are in `work`.

    With an address also a site map, a card for each page, and notebooks that install celsa.
    """
    base = address(work)
    templates = Environment(loader=PackageLoader("celsa_lib.book"), autoescape=True)

    def write(name: str) -> None:
        text = templates.get_template(f"{name}.jinja").render(base=base, pages=pages)
        write_whole(html / name, lambda out: out.write(text.encode()))

    write("404.html")
    if base:
        write("sitemap.xml")
        add_setup(html / "_sources" / "notebooks", *repository(work))
        card = templates.get_template("card.html.jinja")
        for page in pages:
            file = html / f"{page}.html"
            meta = card.render(url=f"{base}{page}.html", image=f"{base}_images/card.png")
            text = file.read_text(encoding="utf-8").replace("</head>", f"{meta}\n</head>", 1)
            text = to_copies(text, *repository(work))
            write_whole(file, lambda out, text=text: out.write(text.encode()))
