"""The `flowzoo` command."""

import io
import sys
from typing import Annotated, NoReturn

import torch
import typer

from zoo import __version__
from zoo.architectures.plugins import load_plugin
from zoo.cli.coding import decode, encode, encode_dataset
from zoo.cli.drawing import demo, interpolate, sample
from zoo.cli.fitting import export, train, train_tabular
from zoo.cli.measuring import card, evaluate
from zoo.cli.models import adopt, info, ls
from zoo.cli.onnx_export import export_onnx
from zoo.cli.sharing import pull, push, push_space
from zoo.cli.steering import directions, edit, score
from zoo.cli.web_page import open_page
from zoo.cli.wording import in_commands
from zoo.errors import FlowzooError
from zoo.training.memory import keep_memory

COMMANDS = (
    *(ls, info, encode, encode_dataset, decode, sample, interpolate, evaluate, card),
    *(directions, edit, score, export, export_onnx, adopt, pull, push, push_space, demo),
)
# All options of these are LightningCLI's, --help too.
OF_LIGHTNING = (train, train_tabular)
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

INTERRUPTED = 128 + 2
MEMORY = (MemoryError, torch.OutOfMemoryError)

app = typer.Typer(
    name="flowzoo",
    help="Image normalizing flows with invertible convolutions, and their exact latents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(command)
app.command("app")(open_page)
for lightning in OF_LIGHTNING:
    app.command(context_settings=PASSED_ON)(lightning)


def main() -> NoReturn:
    """Run the `flowzoo` command."""
    run(app, "flowzoo")


def run(commands: typer.Typer, name: str) -> NoReturn:
    """Run a command; every error is one line and exit code 2, or that of a signal."""
    keep_memory()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the terminal cannot show
    status = 2
    # click's UsageError, which typer does not export.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        sys.exit(commands(prog_name=name, standalone_mode=False))
    except FlowzooError as error:
        message, status = str(error), error.exit_status
    except usage_error as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if not message:  # no arguments: the help has been printed
            sys.exit(2)
        context = error.ctx  # type: ignore[attr-defined]
        message = f"{message.rstrip('.')}. See {context.command_path if context else name} --help."
    except (typer.Abort, KeyboardInterrupt):
        message, status = "interrupted.", INTERRUPTED
    except SystemExit as error:
        # An interrupt: typer exits with this status for it, and Lightning with 1.
        if error.code != INTERRUPTED and not isinstance(error.__context__, KeyboardInterrupt):
            raise
        message, status = "interrupted.", INTERRUPTED
    except OSError as error:
        message = str(error)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MEMORY) and "can't allocate memory" not in str(error):
            raise
        message = "there is not enough memory. Take fewer or smaller images at a time."
    print(f"{name}: {' '.join(in_commands(message).split())}", file=sys.stderr)
    sys.exit(status)


def _version(show: bool) -> None:
    if show:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Python file or module that registers architectures or data sets."),
    ] = None,
) -> None:
    """Image normalizing flows with invertible convolutions, and their exact latents."""
    for source in plugin or ():
        load_plugin(source)
