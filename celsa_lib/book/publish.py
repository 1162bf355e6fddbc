"""What a published book needs: its address in pages, a site map, cards, a page for lost readers.

One setting decides: `repository.url` in _config.yml. Without it no page names another host.
"""

from pathlib import Path
from urllib.parse import urlsplit

import yaml

from celsa_lib.book.colab import COLAB
from celsa_lib.book.front import CARD
from celsa_lib.errors import ConfigError
from celsa_lib.files import write_whole

BINDER = "https://mybinder.org"  # builds environment.yml, so what it runs is pinned
PDF = "celsa.pdf"  # .github/workflows/publish.yml puts it beside the pages
EXTENSIONS = ["sphinx_sitemap", "sphinxext.opengraph", "notfound.extension"]
SETTINGS = {
    "sitemap_url_scheme": "{link}",
    "sitemap_excludes": ["404.html", "genindex.html", "search.html"],
    "ogp_image": CARD,
    "ogp_image_alt": "nDCG@100 of each method by bytes per item",
    "ogp_custom_meta_tags": ['<meta name="twitter:card" content="summary_large_image">'],
    "notfound_template": "404.html",
}


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
    """With an address: all that follows from it, put into the _config.yml of `work`."""
    if not (base := address(work)):
        return
    file = work / "_config.yml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["html"]["baseurl"] = base
    config["parse"]["myst_substitutions"]["on_paper"] = f"[the whole book as a PDF]({base}{PDF})"
    sphinx = config["sphinx"]["config"]
    sphinx["extensions"] += EXTENSIONS
    sphinx |= SETTINGS | {"ogp_site_url": base, "ogp_site_name": config["title"]}
    sphinx["notfound_urls_prefix"] = urlsplit(base).path
    url, branch = repository(work)
    # The options of the theme are ours as a whole: Jupyter Book merges nothing into them.
    sphinx["html_theme_options"] |= {
        "repository_url": url,
        "repository_branch": branch,
        "launch_buttons": {"binderhub_url": BINDER, "colab_url": COLAB},
    }
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    write_whole(file, lambda out: out.write(text.encode()))
