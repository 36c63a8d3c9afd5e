import { lines, type Topic } from "../cell.ts";

const requires = ["ipywidgets"];

export const widgets: Topic = {
  name: "widgets",
  cells: [
    { name: "a slider", code: "import ipywidgets as widgets\nwidgets.IntSlider(value=3, max=10)", requires },
    { name: "display of a slider", code: "import ipywidgets as widgets\ndisplay(widgets.FloatSlider())", requires },
    {
      name: "a box of widgets",
      code: "import ipywidgets as widgets\nwidgets.VBox([widgets.Button(description='Go'), widgets.Text(value='text'), widgets.HTML('<b>h</b>')])",
      requires,
    },
    {
      name: "a value that changes",
      code: "slider = widgets.IntSlider()\nslider.observe(lambda change: print('changed to', change['new']), 'value')\nslider.value = 5",
      requires,
    },
    { name: "interact", code: "widgets.interact(lambda x: x * 2, x=4)", requires },
    {
      name: "an output widget",
      code: "out = widgets.Output()\nwith out: print('inside')\nout",
      requires,
    },
    {
      name: "a progress widget",
      code: "bar = widgets.IntProgress(max=3)\ndisplay(bar)\nfor i in range(4): bar.value = i",
      requires,
    },
    {
      name: "a link and a close",
      code: lines(
        "a, b = widgets.IntText(), widgets.IntText()",
        "link = widgets.jslink((a, 'value'), (b, 'value'))",
        "a.value = 2",
        "a.close()",
        "a.comm is None",
      ),
      requires,
    },
    {
      name: "a comm of one's own",
      code: "from comm import create_comm\nchannel = create_comm(target_name='corpus', data={'a': 1})\nchannel.send({'b': 2})\nchannel.close()\nchannel.target_name",
      requires: ["comm"],
    },
  ],
};
