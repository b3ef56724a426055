"""Names are found across the files of a project, and nothing outside of it is touched."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from textwrap import dedent

import pytest

from losslint.semantics.project import Definition, Project


def written(root: Path, **files: str) -> Project:
    """A project of files; `a__b` is the path a/b, and `init` an __init__."""
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("init", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return Project((root,))


def place(found: Definition | None, root: Path) -> tuple[str, str] | None:
    return None if found is None else (found.path.relative_to(root).as_posix(), found.qualname)


def ancestry(project: Project, path: Path, name: str) -> tuple[str, ...]:
    found = project.resolve(path, name)
    assert found is not None
    assert isinstance(found.node, ast.ClassDef)
    return project.ancestry(found.path, found.node)


@pytest.mark.parametrize(
    ("imported", "name"),
    [
        ("from pkg.dice import Dice", "Dice"),
        ("from pkg.dice import Dice as D", "D"),
        ("import pkg.dice", "pkg.dice.Dice"),
        ("import pkg.dice as d", "d.Dice"),
        ("from pkg import dice", "dice.Dice"),
        ("from pkg import Dice", "Dice"),
        ("import pkg", "pkg.Dice"),
        ("from pkg import *", "Dice"),
        ("from .pkg import Dice", "Dice"),
        ("from . import pkg", "pkg.dice.Dice"),
        ("def train():\n    from pkg import Dice", "Dice"),
        ("try:\n    from pkg import Dice\nexcept ImportError:\n    Dice = None", "Dice"),
        ("from pkg import Dice\nAlso = Dice", "Also"),
    ],
)
def test_every_way_to_import_leads_to_the_definition(tmp_path: Path, imported: str, name: str) -> None:
    project = written(tmp_path, pkg__init="from .dice import Dice", pkg__dice="class Dice: ...", main=imported)
    assert place(project.resolve(tmp_path / "main.py", name), tmp_path) == ("pkg/dice.py", "Dice")


def test_re_exports_go_through_several_packages_and_stars(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        pkg__init="from .losses import *",
        pkg__losses__init="from .region import *",
        pkg__losses__region__init="from ._dice import Dice",
        pkg__losses__region___dice="class Dice: ...",
        main="import pkg",
    )
    (tmp_path / "pkg/losses/region/_dice.py").write_text("class Dice: ...")
    assert place(project.resolve(tmp_path / "main.py", "pkg.Dice"), tmp_path) == (
        "pkg/losses/region/_dice.py",
        "Dice",
    )


def test_members_and_nested_definitions_have_qualified_names(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        a="class Outer:\n    class Inner:\n        def f(self): ...\n",
        b="import a\ndef make():\n    class Local: ...\n",
    )
    assert place(project.resolve(tmp_path / "b.py", "a.Outer.Inner.f"), tmp_path) == ("a.py", "Outer.Inner.f")
    assert place(project.resolve(tmp_path / "b.py", "Local"), tmp_path) == ("b.py", "make.Local")
    assert project.resolve(tmp_path / "b.py", "a.Outer.missing") is None


def test_sibling_scripts_src_layouts_and_namespace_packages(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        scripts__train="from dice import Dice\nfrom mylib.focal import Focal\nfrom space.part.deep import Deep",
        scripts__dice="class Dice: ...",
        src__mylib__init="",
        src__mylib__focal="class Focal: ...",
        space__part__deep="class Deep: ...",
    )
    train = tmp_path / "scripts/train.py"
    assert place(project.resolve(train, "Dice"), tmp_path) == ("scripts/dice.py", "Dice")
    assert place(project.resolve(train, "Focal"), tmp_path) == ("src/mylib/focal.py", "Focal")
    assert place(project.resolve(train, "Deep"), tmp_path) == ("space/part/deep.py", "Deep")
    assert project.module_file("space.part", train) is None


def test_a_root_below_the_package_still_finds_the_package(tmp_path: Path) -> None:
    written(
        tmp_path,
        pkg__init="",
        pkg__base="class Base: ...",
        pkg__losses__init="",
        pkg__losses__a="import pkg.base",
    )
    project = Project((tmp_path / "pkg/losses",))
    found = project.resolve(tmp_path / "pkg/losses/a.py", "pkg.base.Base")
    assert place(found, tmp_path) == ("pkg/base.py", "Base")


def test_the_search_ends_at_the_project(tmp_path: Path) -> None:
    written(tmp_path, outside="class Far: ...", repo__pkg__init="", repo__pkg__a="from outside import Far")
    (tmp_path / "repo/pyproject.toml").write_text("")
    project = Project((tmp_path / "repo",))
    assert project.locate(tmp_path / "repo/pkg/a.py", "Far") == "outside.Far"


def test_relative_paths_lead_to_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        tmp_path,
        pkg__init="",
        pkg__base="class Base: ...",
        pkg__a="from .base import Base\nfrom pkg.base import Base as B",
    )
    monkeypatch.chdir(tmp_path / "pkg")
    project = Project((Path(),))
    found = project.resolve(Path("a.py"), "Base")
    assert found is not None
    assert found.path == Path("base.py")
    absolute = project.resolve(Path("a.py"), "B")
    assert absolute is not None
    assert absolute.path == Path("base.py")
    assert project.module_name(Path("a.py")) == "pkg.a"


def test_what_is_outside_keeps_its_full_name(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        core="import torch.nn as nn\nfrom torch import Tensor\nModule = nn.Module\n",
        main="from core import Module, Tensor\nfrom torch.nn.modules.loss import _Loss\nimport torch\n",
    )
    main = tmp_path / "main.py"
    assert project.locate(main, "Module") == "torch.nn.Module"
    assert project.locate(main, "Tensor") == "torch.Tensor"
    assert project.locate(main, "_Loss") == "torch.nn.modules.loss._Loss"
    assert project.locate(main, "torch.nn.Module") == "torch.nn.Module"
    assert project.locate(main, "print") == "print"


def test_ancestry_expands_the_projects_classes(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        pkg__init="",
        pkg__base="from torch import nn\nclass Root(nn.Module): ...\nclass Mixin: ...\n",
        pkg__loss="from . import base\nclass Dice(base.Mixin, base.Root[int], Generic[T]): ...\nclass Soft(Dice): ...\n",
    )
    assert ancestry(project, tmp_path / "pkg/loss.py", "Soft") == (
        "pkg.loss.Dice",
        "pkg.base.Mixin",
        "pkg.base.Root",
        "Generic",
        "torch.nn.Module",
    )


def test_a_class_may_be_named_like_its_imported_base(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        base="import torch\nclass Loss(torch.nn.Module): ...",
        mine="from base import Loss\nclass Loss(Loss): ...\n",
    )
    assert ancestry(project, tmp_path / "mine.py", "Loss") == ("base.Loss", "torch.nn.Module")


def test_with_metaclass_names_its_bases(tmp_path: Path) -> None:
    project = written(tmp_path, a="from six import with_metaclass\nclass A(with_metaclass(M, B)): ...\nclass B: ...")
    assert ancestry(project, tmp_path / "a.py", "A") == ("M", "a.B")


def test_cycles_end(tmp_path: Path) -> None:
    project = written(
        tmp_path,
        a="from b import *\nfrom b import X\nclass A(B): ...\nP = Q\nQ = P\n",
        b="from a import *\nfrom a import X\nclass B(A): ...\n",
    )
    assert ancestry(project, tmp_path / "a.py", "A") == ("b.B",)
    assert project.resolve(tmp_path / "a.py", "X") is None
    assert project.resolve(tmp_path / "a.py", "P") is None
    assert project.resolve(tmp_path / "a.py", "Nowhere") is None


@pytest.mark.parametrize("data", [b"def (", b"x = 1\0", b"\xff\xfe", b"(" * 500 + b")" * 500, b"-" * 100_000 + b"1"])
def test_what_cannot_be_parsed_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    project = Project((tmp_path,))
    assert project.tree(path) is None
    assert project.resolve(path, "x") is None


def test_files_are_parsed_once_and_without_warnings(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "a.py"
    path.write_text('x = "\\d"\nclass A: ...\n')
    project = Project((tmp_path,))
    first = project.tree(path)
    assert project.tree(Path(os.path.relpath(path))) is first
    assert not recwarn.list
    own = ast.parse("class Other: ...")
    project.remember(path, own)
    assert project.tree(path) is own
    assert project.resolve(path, "Other") is not None
    assert project.resolve(path, "A") is None


def test_few_trees_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losslint.semantics.project.MAX_LINES", 2)
    project = written(tmp_path, a="A = 1", b="B = 1", c="C = 1")
    first = project.tree(tmp_path / "a.py")
    project.tree(tmp_path / "b.py")
    project.tree(tmp_path / "c.py")
    assert project.tree(tmp_path / "a.py") is not first


def test_neighbours_are_the_files_below_the_root_and_nothing_hidden_or_installed(tmp_path: Path) -> None:
    project = written(tmp_path / "repo", pkg__init="", pkg__dice="", train="", scripts__run="", venv__x="")
    (tmp_path / "repo" / ".git").mkdir()
    (tmp_path / "repo" / ".git" / "hook.py").write_text("")
    written(tmp_path, outside="")
    found = project.neighbours(tmp_path / "repo" / "pkg" / "dice.py")
    assert found is not None
    names = [path.relative_to(tmp_path / "repo").as_posix() for path in found]
    assert sorted(names) == ["pkg/__init__.py", "pkg/dice.py", "scripts/run.py", "train.py"]


def test_neighbours_of_an_installed_file_are_its_package_alone(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    written(site, pkg__init="", pkg__inner__init="", pkg__inner__dice="", other__init="")
    found = Project().neighbours(site / "pkg" / "inner" / "dice.py")
    assert found is not None
    assert {path.relative_to(site).parts[0] for path in found} == {"pkg"}
    assert len(found) == 3


def test_packages_that_import_each_others_stars_are_asked_once(tmp_path: Path) -> None:
    """Each of 12 modules leads to all others: a search without a memory would go through more than 10**12 ways."""
    package = tmp_path / "around"
    package.mkdir()
    (package / "__init__.py").write_text("")
    names = [f"module_{number}" for number in range(12)]
    for name in names:
        stars = "\n".join(f"from around.{other} import *" for other in names if other != name)
        (package / f"{name}.py").write_text(stars)
    (package / "module_11.py").write_text("from around.module_0 import *\n\ndef focal(x):\n    return x\n")
    project = Project([tmp_path])
    assert project.resolve(package / "module_0.py", "dice") is None
    found = project.resolve(package / "module_0.py", "focal")
    assert found is not None and found.path == package / "module_11.py"
