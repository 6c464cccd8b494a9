// The point layer: WebGL2, one draw call. Both positions of a point stay on the graphics card, so a
// step of the morph uploads one number.

const VERTEX = `#version 300 es
in vec2 before;
in vec2 after;
in vec4 colour;
in float role;
uniform float mixing;
uniform vec2 centre;
uniform vec2 toClip;
uniform float size;
out vec4 fill;
flat out float query;
void main() {
  vec2 place = mix(before, after, mixing);
  gl_Position = vec4((place - centre) * toClip, 0.0, 1.0);
  gl_PointSize = size * (role > 0.5 ? 1.5 : 1.0) + 1.0;
  fill = colour;
  query = role;
}`;

// Documents are discs, queries are diamonds. The rim in the colour of the paper keeps neighbours apart.
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 fill;
flat in float query;
uniform vec3 paper;
uniform float size;
uniform float rim;
out vec4 pixel;
void main() {
  vec2 p = abs(2.0 * gl_PointCoord - 1.0);
  float radius = query > 0.5 ? p.x + p.y : length(p);
  float soft = min(1.0, 2.4 / size);
  float inside = 1.0 - smoothstep(1.0 - soft, 1.0, radius);
  float edge = rim * smoothstep(0.74 - soft, 0.78, radius);
  float alpha = fill.a * inside;
  pixel = vec4(mix(fill.rgb, paper, edge) * alpha, alpha);
}`;

const RIM_FROM = 8; // CSS pixels; smaller points have no room for a rim
const RIM_STRENGTH = 0.85;

function compile(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

function link(gl) {
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The point shader does not link: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}

export class WebglLayer {
  /**
   * @param {(lost: boolean) => void} onContext called when the browser takes the context or gives it back
   * @returns {WebglLayer | null} null where the browser has no WebGL2
   */
  static open(canvas, onContext) {
    const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, powerPreference: "low-power" });
    return gl ? new WebglLayer(canvas, gl, onContext) : null;
  }

  constructor(canvas, gl, onContext) {
    this.name = "webgl2";
    this.canvas = canvas;
    this.gl = gl;
    this.listening = new AbortController();
    const { signal } = this.listening;
    canvas.addEventListener(
      "webglcontextlost",
      (event) => {
        event.preventDefault(); // without it the browser never gives a lost context back
        onContext(true);
      },
      { signal },
    );
    canvas.addEventListener(
      "webglcontextrestored",
      () => {
        this.prepare();
        if (this.data) this.load(this.data);
        if (this.rgba) this.paint(this.rgba, this.order);
        onContext(false);
      },
      { signal },
    );
    this.prepare();
  }

  prepare() {
    const { gl } = this;
    this.program = link(gl);
    this.uniforms = {};
    for (const name of ["mixing", "centre", "toClip", "size", "rim", "paper"]) {
      this.uniforms[name] = gl.getUniformLocation(this.program, name);
    }
    this.vertices = gl.createVertexArray();
    gl.bindVertexArray(this.vertices);
    this.buffers = {
      before: this.attribute("before", 2, gl.FLOAT, false),
      after: this.attribute("after", 2, gl.FLOAT, false),
      colour: this.attribute("colour", 4, gl.UNSIGNED_BYTE, true),
      role: this.attribute("role", 1, gl.UNSIGNED_BYTE, false),
    };
    this.elements = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.elements);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  attribute(name, size, type, normalized) {
    const { gl } = this;
    const buffer = gl.createBuffer();
    const location = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, type, normalized, 0, 0);
    return buffer;
  }

  upload(buffer, values) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  /** @param {import("./dataset.js").Dataset} data */
  load(data) {
    this.data = data;
    this.upload(this.buffers.before, data.before);
    this.upload(this.buffers.after, data.after);
    this.upload(this.buffers.role, data.roles ?? new Uint8Array(data.n));
  }

  /** @param {Uint8Array} rgba a colour a point @param {Uint32Array} order indices, last on top */
  paint(rgba, order) {
    const { gl } = this;
    this.rgba = rgba;
    this.order = order;
    this.upload(this.buffers.colour, rgba);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.elements);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.STATIC_DRAW);
  }

  /** @param {{camera: object, mix: number, size: number, paper: number[], ratio: number}} frame */
  draw({ camera, mix, size, paper, ratio }) {
    const { gl, uniforms, canvas } = this;
    if (gl.isContextLost()) return;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.order) return;
    const scale = camera.scale;
    gl.useProgram(this.program);
    gl.uniform1f(uniforms.mixing, mix);
    gl.uniform2f(uniforms.centre, camera.x, camera.y);
    gl.uniform2f(uniforms.toClip, (2 * scale) / camera.width, (2 * scale) / camera.height);
    gl.uniform1f(uniforms.size, size * ratio);
    gl.uniform1f(uniforms.rim, size > RIM_FROM ? RIM_STRENGTH : 0);
    gl.uniform3f(uniforms.paper, paper[0] / 255, paper[1] / 255, paper[2] / 255);
    gl.drawElements(gl.POINTS, this.order.length, gl.UNSIGNED_INT, 0);
  }

  /** Give the context back: a page may hold only about sixteen. */
  free() {
    this.listening.abort();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
