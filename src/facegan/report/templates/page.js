(() => {
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => d.open = true));
  for (const film of document.querySelectorAll(".film")) {
    const player = film.querySelector(".player");
    if (!player) continue;
    const slider = player.querySelector("input[type=range]"), output = player.querySelector("output");
    const button = player.querySelector("button"), axes = [...player.querySelectorAll("input[type=radio]")];
    const stacks = [...film.querySelectorAll(".stack")].map(stack => [...stack.querySelectorAll(".frame")]);
    const said = [...film.querySelectorAll(".at")];
    const number = value => Number(value.toPrecision(15)).toString();
    const duration = value => {
      const s = Math.round(value), m = Math.floor(s / 60), h = Math.floor(m / 60);
      return h ? `${h} h ${m % 60} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
    };
    const words = { kimg: value => number(value) + " kimg", seconds: duration, share: value => Math.round(100 * value) + " %" };
    let axis = "kimg", stops = [], timer = 0;
    const at = frame => Number(frame.dataset[axis]);
    const show = () => {
      const stop = stops[slider.valueAsNumber];
      output.textContent = words[axis](stop);
      slider.setAttribute("aria-valuetext", output.textContent);
      stacks.forEach((frames, i) => {
        // Of each run the last picture that was there by then.
        const chosen = frames.findLast(frame => at(frame) <= stop) ?? frames[0];
        for (const frame of frames) frame.hidden = frame !== chosen;
        if (said[i]) said[i].textContent = words.kimg(Number(chosen.dataset.kimg));
      });
    };
    const measure = () => {
      const place = stops.length > 1 ? slider.valueAsNumber / (stops.length - 1) : 1;
      stops = [...new Set(stacks.flat().map(at))].sort((a, b) => a - b);
      slider.max = stops.length - 1;
      slider.value = Math.round(place * (stops.length - 1));
      show();
    };
    const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Play"; };
    const next = () => {
      slider.valueAsNumber += 1;
      show();
      if (slider.valueAsNumber >= stops.length - 1) stop();
    };
    button.addEventListener("click", () => {
      if (timer) return stop();
      if (slider.valueAsNumber >= stops.length - 1) { slider.value = 0; show(); }
      button.textContent = "Pause";
      timer = setInterval(next, stops.length > 40 ? 150 : 350);
    });
    slider.addEventListener("input", () => { stop(); show(); });
    for (const choice of axes) choice.addEventListener("change", () => { stop(); axis = choice.value; measure(); });
    measure();
    for (const frame of stacks.flat()) frame.decode().catch(() => {});  // so that none flickers at first
    player.hidden = false;
  }
})();
