import { lines, type Topic } from "../cell.ts";

const plot = (...code: string[]): string => lines("import matplotlib.pyplot as plt", ...code);
const requires = ["matplotlib"];

export const plots: Topic = {
  name: "plots",
  cells: [
    { name: "an open figure at the cell's end", code: plot("plt.plot([1, 2, 3]);"), requires },
    { name: "the value of plot and its figure", code: plot("plt.plot([1, 2, 3])"), requires },
    { name: "show", code: plot("plt.plot([1, 2, 3])", "plt.show()", "print('after')"), requires },
    {
      name: "two figures",
      code: plot("plt.figure(figsize=(2, 1)); plt.plot([1])", "plt.figure(figsize=(1, 2)); plt.plot([2]);"),
      requires,
    },
    { name: "a figure as the value", code: plot("fig, ax = plt.subplots(figsize=(2, 2))", "ax.plot([1, 2])", "fig"), requires },
    {
      name: "display of a figure that is closed",
      code: plot("fig, ax = plt.subplots(figsize=(2, 2))", "ax.plot([1, 2])", "plt.close(fig)", "display(fig)"),
      requires,
    },
    { name: "a figure that is closed", code: plot("plt.plot([1, 2])", "plt.close()"), requires },
    { name: "size and resolution", code: plot("plt.figure(figsize=(3, 2), dpi=50)", "plt.plot([1, 2]);"), requires },
    { name: "a figure that a failing cell leaves", code: [plot("plt.plot([1])", "1 / 0"), "print('next')"], requires },
    { name: "a figure without axes", code: plot("plt.figure()"), requires },
    {
      name: "savefig",
      code: [
        plot("plt.plot([1, 2])", "plt.savefig('saved.png')", "plt.close()"),
        "import os\nos.path.getsize('saved.png') > 1000",
      ],
      requires,
    },
    { name: "%matplotlib inline", code: ["%matplotlib inline", plot("plt.plot([1]);")], requires },
    { name: "%matplotlib --list", code: "%matplotlib --list", requires },
    { name: "%matplotlib of a backend that needs a screen", code: "%matplotlib nosuchbackend", requires },
    {
      name: "%config InlineBackend as SVG",
      code: [
        "%config InlineBackend.figure_formats = ['svg']",
        plot("plt.figure(figsize=(1, 1)); plt.plot([1])", "plt.rcParams['svg.hashsalt'] = 'fixed';"),
        "%config InlineBackend.figure_formats = ['png']",
      ],
      requires,
    },
    {
      name: "retina",
      code: [
        "%config InlineBackend.figure_format = 'retina'",
        plot("plt.figure(figsize=(2, 1)); plt.plot([1]);"),
        "%config InlineBackend.figure_format = 'png'",
      ],
      requires,
    },
    {
      name: "JPEG",
      code: [
        "from matplotlib_inline.backend_inline import set_matplotlib_formats\nset_matplotlib_formats('jpeg')",
        plot("plt.figure(figsize=(1, 1)); plt.plot([1]);"),
        "set_matplotlib_formats('png')",
      ],
      requires: ["matplotlib", "pillow"],
    },
    {
      name: "close_figures off",
      code: [
        "%config InlineBackend.close_figures = False",
        plot("fig = plt.figure(figsize=(1, 1)); plt.plot([1]);"),
        "plt.plot([2]);",
        "plt.close('all')\n%config InlineBackend.close_figures = True",
      ],
      requires,
    },
    { name: "the backend's name", code: "import matplotlib\nmatplotlib.get_backend(), plt.isinteractive()", requires },
    {
      name: "Agg",
      code: [
        "import matplotlib\nmatplotlib.use('Agg')",
        plot("plt.plot([1])", "plt.show()"),
        "matplotlib.use('module://matplotlib_inline.backend_inline')\nplt.close('all')",
      ],
      requires,
    },
    {
      name: "an animation as html",
      code: lines(
        "import matplotlib.pyplot as plt",
        "from matplotlib.animation import FuncAnimation",
        "fig, ax = plt.subplots(figsize=(1, 1))",
        "animation = FuncAnimation(fig, lambda i: ax.plot([i]), frames=2)",
        "plt.close(fig)",
        "html = animation.to_jshtml()",
        "html.count('<img')",
      ),
      requires: ["matplotlib", "pillow"],
    },
    {
      name: "a figure in a function with a print",
      code: plot(
        "def draw():",
        "    print('drawing')",
        "    plt.figure(figsize=(1, 1)); plt.plot([1])",
        "    plt.show()",
        "draw()",
        "draw()",
      ),
      requires,
    },
    { name: "an exception while drawing", code: plot("plt.figure(figsize=(1, 1))", "plt.title(r'$\\frac{1$');"), requires },
    {
      name: "pause and ion",
      code: [
        "import matplotlib.pyplot as plt\nplt.ion()\nplt.figure(figsize=(1, 1)); plt.plot([1])\nplt.pause(0.01)",
        "plt.ioff()",
      ],
      requires,
    },
    {
      name: "a backend that needs a screen",
      code: ["import matplotlib\nmatplotlib.use('TkAgg')", "matplotlib.get_backend()"],
      requires,
      fresh: true,
    },
    {
      name: "tight_layout off",
      code: [
        "%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}",
        plot("plt.figure(figsize=(3, 2), dpi=100); plt.plot([1]);"),
      ],
      requires,
      fresh: true,
    },
    {
      name: "display between figures",
      code: plot(
        "plt.figure(figsize=(1, 1)); plt.plot([1])",
        "print('between')",
        "display('shown')",
        "plt.figure(figsize=(1, 1)); plt.plot([2])",
        "plt.show()",
        "print('end')",
      ),
      requires,
    },
  ],
};
