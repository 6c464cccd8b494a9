// Messages between a widget's view and its kernel side.

/**
 * Listen for custom messages of *model* by their `type`; returns a function that ends it.
 * `listen(model, {append(message, buffers) {...}})`
 */
export function listen(model, handlers) {
  const receive = (message, buffers) => handlers[message?.type]?.(message, buffers ?? []);
  model.on("msg:custom", receive);
  return () => model.off("msg:custom", receive);
}

/** Call *listener()* when the way of *model* to its kernel opens or ends; returns a function that ends it. */
export function listenToLife(model, listener) {
  model.on("comm_live_update", listener);
  return () => model.off("comm_live_update", listener);
}

/** Follow traits: call *listener(value)* now and at each change; returns a function that ends it. */
export function follow(model, name, listener) {
  const changed = () => listener(model.get(name));
  model.on(`change:${name}`, changed);
  changed();
  return () => model.off(`change:${name}`, changed);
}

/** Resolve a model reference as ipywidgets writes it ("IPY_MODEL_<id>"), or null where there is none. */
export async function resolveModel(model, reference) {
  if (typeof reference !== "string" || !reference.startsWith("IPY_MODEL_")) return null;
  try {
    return await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length));
  } catch {
    return null;
  }
}
