import { lines, type Topic } from "../cell.ts";

const shown = (expression: string): string => `from IPython.display import *\n${expression}`;
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEUlEQVR4nGP4z8DAxMDAAMIABg4BAmYQ6xUAAAAASUVORK5CYII=";
const png = `import base64\nbytes_of_png = base64.b64decode("${PNG}")`;

export const displays: Topic = {
  name: "displays",
  cells: [
    { name: "display of a text", code: "display('text')" },
    { name: "display of several values", code: "display(1, [2], None)" },
    { name: "display of nothing", code: "display()" },
    { name: "display and a value", code: "display('shown')\n'value'" },
    { name: "displays between prints", code: "print('a')\ndisplay('b')\nprint('c')\ndisplay('d')" },
    { name: "HTML", code: shown("HTML('<b>bold</b>')") },
    { name: "HTML with metadata", code: shown("HTML('<b>bold</b>', metadata={'isolated': True})") },
    { name: "Markdown", code: shown("Markdown('# Title\\n*text*')") },
    { name: "Latex", code: shown("Latex(r'$\\frac{1}{2}$')") },
    { name: "Math", code: shown("Math(r'\\frac{1}{2}')") },
    { name: "SVG", code: shown('SVG(\'<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>\')') },
    { name: "JSON", code: shown("JSON({'a': [1, None, True]}, expanded=True, root='top')") },
    { name: "GeoJSON", code: shown("GeoJSON({'type': 'Point', 'coordinates': [1, 2]})") },
    { name: "Javascript", code: shown("Javascript('console.log(1)')") },
    { name: "Pretty", code: shown("Pretty('pretty text')") },
    { name: "Code", code: shown("Code('print(1)', language='python')") },
    { name: "IFrame", code: shown("IFrame('https://example.com', width=300, height=200, extra=1)") },
    { name: "YouTubeVideo", code: shown("YouTubeVideo('abc', width=100)") },
    { name: "Image of bytes", code: `${png}\nfrom IPython.display import Image\nImage(bytes_of_png)` },
    {
      name: "Image with a size",
      code: `${png}\nfrom IPython.display import Image\nImage(bytes_of_png, width=20, height=30, unconfined=True, metadata={'name': 'small'})`,
    },
    { name: "Image by URL", code: shown("Image(url='https://example.com/a.png', width=10)") },
    {
      name: "Image of a file",
      code: `${png}\nopen('small.png', 'wb').write(bytes_of_png)\nfrom IPython.display import Image\nImage('small.png'), display(Image(filename='small.png'))`,
    },
    {
      name: "Image of a GIF",
      code: lines(
        "import base64",
        "from IPython.display import Image",
        "Image(base64.b64decode('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'), format='gif')",
      ),
    },
    {
      name: "Image of a file that is missing",
      code: shown("Image('missing.png')"),
      difference: { reason: "reply-names-error", ours: '"ename":"FileNotFoundError"' },
    },
    { name: "Audio of samples", code: shown("Audio([0.0, 0.5, -0.5, 0.0], rate=8000)"), requires: ["numpy"] },
    { name: "Audio of bytes", code: shown("Audio(data=b'RIFF0000', rate=8000, autoplay=True)") },
    { name: "Video by URL", code: shown("Video('https://example.com/a.mp4', width=100)") },
    { name: "Video of bytes", code: shown("Video(b'0000', embed=True, mimetype='video/mp4')") },
    { name: "FileLink", code: shown("open('linked.txt', 'w').close()\nFileLink('linked.txt')") },
    { name: "FileLink to what is missing", code: shown("FileLink('missing.txt')") },
    {
      name: "FileLinks",
      code: shown("import os\nos.makedirs('linked', exist_ok=True)\nopen('linked/a.txt', 'w').close()\nFileLinks('linked')"),
    },
    { name: "ProgressBar", code: shown("bar = ProgressBar(3)\nfor _ in bar: pass") },
    { name: "TextDisplayObject by the value", code: shown("Markdown(data='text', metadata={'a': 1})._repr_markdown_()") },
    {
      name: "a mime bundle of the object",
      code: lines(
        "class M:",
        "    def _repr_mimebundle_(self, include=None, exclude=None):",
        "        return {'text/plain': 'plain', 'application/vnd.own+json': {'a': 1}}, {'application/vnd.own+json': {'b': 2}}",
        "M()",
      ),
    },
    {
      name: "a mime bundle without text/plain",
      code: lines(
        "class M:",
        "    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/html': '<i>only</i>'}",
        "M()",
      ),
    },
    {
      name: "every representation at once",
      code: lines(
        "class All:",
        "    def __repr__(self): return 'All()'",
        "    def _repr_html_(self): return '<p>'",
        "    def _repr_markdown_(self): return '# md'",
        "    def _repr_latex_(self): return '$x$'",
        "    def _repr_svg_(self): return '<svg/>'",
        "    def _repr_json_(self): return {'j': 1}",
        "    def _repr_javascript_(self): return 'js()'",
        "    def _repr_pdf_(self): return b'%PDF-1.4'",
        "    def _repr_jpeg_(self): return b'\\xff\\xd8\\xff'",
        `    def _repr_png_(self):\n        import base64\n        return base64.b64decode("${PNG}"), {'width': 2}`,
        "All()",
      ),
    },
    {
      name: "representations that are None",
      code: lines(
        "class Shy:",
        "    def _repr_html_(self): return None",
        "    def _repr_mimebundle_(self, **_): return None",
        "Shy()",
      ),
    },
    {
      name: "a representation that raises, as a result",
      code: lines(
        "class Bad:",
        "    def __repr__(self): return 'Bad()'",
        "    def _repr_html_(self): raise ValueError('no html')",
        "Bad()",
      ),
      difference: { reason: "reply-names-error", ours: '"ename":"ValueError"' },
    },
    {
      name: "a representation that raises, in display",
      code: lines(
        "class Bad:",
        "    def __repr__(self): return 'Bad()'",
        "    def _repr_html_(self): raise ValueError('no html')",
        "display(Bad())",
        "print('after')",
      ),
    },
    {
      name: "a repr that raises",
      code: lines("class Bad:", "    def __repr__(self): raise ValueError('no repr')", "Bad()"),
      difference: { reason: "reply-names-error", ours: '"ename":"ValueError"' },
    },
    {
      name: "a representation of the wrong type",
      code: lines("class Odd:", "    def __repr__(self): return 'Odd()'", "    def _repr_html_(self): return 5", "Odd()"),
    },
    {
      name: "include and exclude",
      code: lines(
        "class Two:",
        "    def __repr__(self): return 'Two()'",
        "    def _repr_html_(self): return '<p>'",
        "    def _repr_latex_(self): return '$x$'",
        "display(Two(), include=['text/html'])",
        "display(Two(), exclude=['text/html'])",
      ),
    },
    {
      name: "a raw bundle",
      code: "display({'text/plain': 'p', 'text/html': '<p>', 'application/x-own': 'any'}, raw=True, metadata={'text/html': {'m': 1}})",
    },
    { name: "a raw bundle without text/plain", code: "display({'application/vnd.vega.v5+json': {'marks': []}}, raw=True)" },
    {
      name: "bytes in a raw bundle",
      code: "display({'text/plain': 'p', 'application/octet-stream': b'\\x00\\x01\\xff'}, raw=True)",
    },
    { name: "bytes deep in a bundle", code: "display({'application/json': {'deep': [b'\\x00\\xff']}}, raw=True)" },
    {
      name: "dates, sets and tuples in a bundle",
      code: "import datetime\ndisplay({'application/json': {'date': datetime.datetime(2024, 2, 29), 'tuple': (1, 2)}}, raw=True)",
    },
    {
      name: "NaN and infinity in JSON",
      code: "display({'application/json': {'values': [float('nan'), float('inf'), -float('inf'), 1.5]}}, raw=True)",
      difference: { reason: "nan-warning", ours: '{"values":["nan","inf","-inf",1.5]}' },
    },
    {
      name: "keys that are no text",
      code: "display({'application/json': {1: 'one', True: 'yes', None: 'none', 2.5: 'half'}}, raw=True)",
    },
    {
      name: "numbers and lists as values of a text type",
      code: "display({'text/plain': 'p', 'text/html': ['<p>', '</p>']}, raw=True)",
    },
    {
      name: "publish_display_data",
      code: "from IPython.display import publish_display_data\npublish_display_data({'text/plain': 'published'}, {'text/plain': {'m': 1}})",
    },
    {
      name: "publish_display_data with transient data",
      code: "from IPython.display import publish_display_data\npublish_display_data({'text/plain': 'published'}, transient={'display_id': 'own'})",
    },
    {
      name: "what is no bundle",
      code: "from IPython.display import publish_display_data\npublish_display_data(['no', 'dict'])",
      difference: { reason: "own-frames", ours: "error: TypeError: data must be a dict" },
    },
    { name: "_ipython_display_", code: lines("class Own:", "    def _ipython_display_(self): print('by itself')", "Own()") },
    {
      name: "_ipython_display_ in display",
      code: lines("class Own:", "    def _ipython_display_(self): display('nested')", "display(Own(), 'after')"),
    },
    { name: "display with an object's class", code: "class C:\n    def _repr_html_(self): return '<c>'\ndisplay(C)" },
    {
      name: "print of an object with html",
      code: "class C:\n    def _repr_html_(self): return '<c>'\n    def __str__(self): return 'text'\nprint(C())",
    },
    {
      name: "format_display_data",
      code: lines(
        "class C:",
        "    def __repr__(self): return 'C()'",
        "    def _repr_html_(self): return '<c>'",
        "get_ipython().display_formatter.format(C())",
      ),
    },
    {
      name: "a captured display",
      code: lines(
        "from IPython.utils.capture import capture_output",
        "with capture_output() as caught:",
        "    print('text')",
        "    display('shown')",
        "caught.stdout, [output.data for output in caught.outputs]",
      ),
    },
    { name: "displays when the cell fails", code: "display('before')\n1 / 0" },
    {
      name: "the functions for each type",
      code: "from IPython.display import *\ndisplay_html('<b>', raw=True)\ndisplay_markdown('# md', raw=True)\ndisplay_latex('$x$', raw=True)\ndisplay_json({'a': 1}, raw=True)\ndisplay_javascript('js()', raw=True)\ndisplay_svg('<svg/>', raw=True)\ndisplay_pretty('pretty', raw=True)",
    },
    {
      name: "include as a type's function",
      code: "from IPython.display import display_html\nclass C:\n    def _repr_html_(self): return '<c>'\ndisplay_html(C())",
    },
    { name: "a retina image", code: `${png}\nfrom IPython.display import Image\nImage(bytes_of_png, retina=True)` },
    {
      name: "an SVG of a file",
      code: "open('small.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')\nfrom IPython.display import SVG\nSVG(filename='small.svg')",
    },
    {
      name: "a display with a number for a name",
      code: "display('first', display_id=5)\nupdate_display('second', display_id=5)",
      difference: { reason: "display-names", ours: '"display_id":"5"' },
    },
    {
      name: "more beside a display",
      code: "display({'text/plain': 'shown'}, raw=True, transient={'own': [1, None], 'display_id': None})",
      difference: { reason: "display-names", ours: '"own":[1,null]' },
    },
  ],
};
