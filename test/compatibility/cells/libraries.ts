import { lines, type Topic } from "../cell.ts";

const SYMPY = ["sympy"];
const PILLOW = ["pillow"];
const RICH = ["rich"];
const TQDM = ["tqdm"];

export const libraries: Topic = {
  name: "libraries",
  cells: [
    {
      name: "SymPy without a printer",
      code: "import sympy\nx = sympy.Symbol('x')\nsympy.Integral(sympy.sqrt(1 / x), x)",
      requires: SYMPY,
    },
    {
      name: "SymPy's init_printing",
      code: [
        "import sympy\nsympy.init_printing()",
        "x = sympy.Symbol('x')\nsympy.Integral(sympy.sqrt(1 / x), x)",
        "sympy.Matrix([[1, x], [x ** 2, 0]])",
        "[x, x ** 2]",
      ],
      requires: SYMPY,
    },
    { name: "SymPy's init_session", code: "import sympy\nsympy.init_session(quiet=True)", requires: SYMPY },
    { name: "an image of Pillow", code: "from PIL import Image\nImage.new('RGB', (30, 20), 'red')", requires: PILLOW },
    {
      name: "a JPEG of Pillow",
      code: "import io\nfrom PIL import Image\ndata = io.BytesIO()\nImage.new('RGB', (8, 8), 'blue').save(data, 'JPEG')\nImage.open(data)",
      requires: PILLOW,
    },
    {
      name: "display of two images",
      code: "from PIL import Image\ndisplay(Image.new('L', (4, 4)), Image.new('RGBA', (5, 6)))",
      requires: PILLOW,
    },
    { name: "rich.print", code: "import rich\nrich.print('[bold red]alert[/] plain', {'a': 1})", requires: RICH },
    {
      name: "a table of rich",
      code: lines(
        "from rich.console import Console",
        "from rich.table import Table",
        "table = Table('Name', 'Value')",
        "table.add_row('a', '1')",
        "Console().print(table)",
      ),
      requires: RICH,
    },
    { name: "a value of rich", code: "from rich.panel import Panel\nPanel('boxed', width=20)", requires: RICH },
    {
      name: "what rich says of where it runs",
      code: "from rich.console import Console\nconsole = Console()\nconsole.is_jupyter, console.width",
      requires: RICH,
    },
    {
      name: "a progress of rich",
      code: lines("from rich.progress import track", "for _ in track(range(2), description='Working', update_period=100): pass"),
      requires: [...RICH, "ipywidgets"],
    },
    {
      name: "rich.pretty and rich.traceback",
      code: ["from rich import pretty\npretty.install()", "{'a': [1, 2]}"],
      requires: RICH,
    },
    {
      name: "tqdm",
      code: "from tqdm import tqdm\nfor _ in tqdm(range(3), mininterval=1000, bar_format='{n_fmt}/{total_fmt}'): pass",
      requires: TQDM,
    },
    { name: "tqdm.write", code: "from tqdm import tqdm\ntqdm.write('written')", requires: TQDM },
    {
      name: "tqdm.auto",
      code: "from tqdm.auto import tqdm\ntqdm.__module__",
      requires: [...TQDM, "ipywidgets"],
      difference: { reason: "widgets", ours: "'tqdm.asyncio'" },
    },
    {
      name: "tqdm.autonotebook",
      code: "from tqdm.autonotebook import tqdm\ntqdm.__module__",
      requires: [...TQDM, "ipywidgets"],
      difference: { reason: "widgets", ours: "'tqdm.std'" },
    },
    {
      name: "tqdm.notebook",
      code: "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3), bar_format='{n_fmt}'): pass",
      requires: [...TQDM, "ipywidgets"],
    },
    {
      name: "Altair",
      code: lines(
        "import altair as alt",
        "import pandas as pd",
        "alt.Chart(pd.DataFrame({'x': [1, 2], 'y': [3, 4]})).mark_bar().encode(x='x', y='y')",
      ),
      requires: ["altair", "pandas"],
      difference: { reason: "chart-specs", ours: 'application/vnd.vegalite.v6+json: {"$schema"' },
    },
    {
      name: "Altair by its mime type",
      code: ["alt.renderers.enable('mimetype')", "alt.Chart(pd.DataFrame({'x': [1, 2]})).mark_point().encode(x='x')"],
      requires: ["altair", "pandas"],
      difference: { reason: "chart-specs", ours: 'application/vnd.vegalite.v6+json: {"$schema"' },
    },
    { name: "Plotly's renderer", code: "import plotly.io\nplotly.io.renderers", requires: ["plotly"] },
    {
      name: "Plotly",
      code: "import plotly.graph_objects as go\nplotly.io.renderers.default = 'plotly_mimetype'\ngo.Figure(go.Bar(y=[1, 2]))",
      requires: ["plotly", "nbformat"],
    },
    { name: "show of Plotly", code: "go.Figure(go.Scatter(y=[1, 2])).show()", requires: ["plotly", "nbformat"] },
    {
      name: "Bokeh",
      code: [
        "from bokeh.io import output_notebook, show\nfrom bokeh.plotting import figure\noutput_notebook(hide_banner=True)",
        "f = figure(width=100, height=100)\nf.line([1, 2], [3, 4])\nshow(f)",
      ],
      requires: ["bokeh"],
    },
    {
      name: "an error that rich renders",
      code: ["from rich import traceback\ntraceback.install(width=60)", "1 / 0"],
      requires: RICH,
      fresh: true,
      difference: { reason: "cell-names", ours: "ZeroDivisionError" },
    },
  ],
};
