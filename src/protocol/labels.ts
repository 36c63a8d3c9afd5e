/** Labels of a container. Nothing without the first or HELPER_LABEL is ever touched. */
export const CONTAINER_LABEL = "ipybox.container";
export const SESSION_LABEL = "ipybox.session";
export const IMAGE_LABEL = "ipybox.tag";
export const OWNER_LABEL = "ipybox.owner";
export const CREATED_LABEL = "ipybox.created";
/** Instead of the first, on a container that does something for another one and ends. */
export const HELPER_LABEL = "ipybox.helper";

type Labels = Readonly<Record<string, string>>;

/** The labels of a container that does something for the one with these labels. */
export function helperLabels(labels: Labels, task: "network" | "removal"): Labels {
  const { [CONTAINER_LABEL]: _, ...shared } = labels;
  return { ...shared, [HELPER_LABEL]: task };
}
