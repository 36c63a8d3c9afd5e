import { lines, type Topic } from "../cell.ts";

const pandas = (...code: string[]): string => lines("import pandas as pd", ...code);
const requires = ["pandas"];

export const tables: Topic = {
  name: "tables",
  cells: [
    { name: "a data frame", code: pandas("pd.DataFrame({'a': [1, 2], 'b': ['x', None]})"), requires },
    { name: "a series", code: pandas("pd.Series([1.5, 2.5], name='s')"), requires },
    {
      name: "an index and a time stamp",
      code: pandas("display(pd.date_range('2024-01-01', periods=3))", "pd.Timestamp('2024-02-29 12:00')"),
      requires,
    },
    { name: "a long data frame", code: pandas("pd.DataFrame({'n': range(1000)})"), requires },
    {
      name: "a wide data frame",
      code: pandas("pd.DataFrame([range(60)], columns=[f'column_{i}' for i in range(60)])"),
      requires,
    },
    {
      name: "a wide data frame as text",
      code: pandas("print(pd.DataFrame([range(30)], columns=[f'column_{i}' for i in range(30)]))"),
      requires,
    },
    { name: "an empty data frame", code: pandas("pd.DataFrame()"), requires },
    {
      name: "levels of an index",
      code: pandas("pd.DataFrame({'a': [1, 2, 3]}, index=pd.MultiIndex.from_tuples([('x', 1), ('x', 2), ('y', 1)]))"),
      requires,
    },
    { name: "what must be escaped", code: pandas("pd.DataFrame({'<b>': ['&', '\"<i>\"']})"), requires },
    { name: "display of two", code: pandas("display(pd.DataFrame({'a': [1]}), pd.DataFrame({'b': [2]}))"), requires },
    {
      name: "a style",
      code: [pandas("pd.DataFrame({'a': [1, 2]}).style.set_uuid('fixed').format('{:.1f}')")],
      requires: ["pandas", "jinja2"],
    },
    {
      name: "options",
      code: [
        pandas("pd.set_option('display.max_rows', 4)", "pd.DataFrame({'n': range(9)})"),
        "pd.reset_option('display.max_rows')",
      ],
      requires,
    },
    {
      name: "a table schema",
      code: [
        pandas("pd.options.display.html.table_schema = True", "pd.DataFrame({'a': [1]})"),
        "pd.options.display.html.table_schema = False",
      ],
      requires,
    },
    {
      name: "info and describe",
      code: pandas("pd.DataFrame({'a': [1, 2, 3]}).info()", "pd.DataFrame({'a': [1, 2, 3]}).describe()"),
      requires,
    },
    {
      name: "a plot of a data frame",
      code: pandas("pd.DataFrame({'a': [1, 3, 2]}).plot(figsize=(2, 2));"),
      requires: ["pandas", "matplotlib"],
    },
    { name: "an error of pandas", code: pandas("pd.DataFrame({'a': [1]})['b']"), requires },
    { name: "an array", code: "import numpy as np\nnp.arange(12).reshape(3, 4)", requires: ["numpy"] },
    { name: "a large array", code: "import numpy as np\nnp.zeros((200, 200))", requires: ["numpy"] },
    { name: "a warning of numpy", code: "import numpy as np\nnp.array([1.0]) / 0", requires: ["numpy"] },
    {
      name: "scalars of numpy",
      code: "import numpy as np\n[np.int64(1), np.float32(0.5), np.bool_(True), np.datetime64('2024-01-01')]",
      requires: ["numpy"],
    },
  ],
};
