/* SPDX-License-Identifier: MIT */
/* t/lib/modules/plus.cc - a module in C++: a page that counts, with state that
 * a reload keeps. Built by hand, see the module guide, C++. */
#include <hyper-derp/http.h>
#include <hyper-derp/module.h>
#include <hyper-derp/worker.h>
#include <string>

struct plus_conf {
	const char *text;
};
struct plus_worker { /* plain data: no std::string */
	uint64_t pages;
};
struct plus_numbers {
	struct hd_counter pages;
};

static const struct hd_option options[] = {
	{ .name = "text",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct plus_conf, text),
	  .def = "hello",
	  .help = "what the page says",
	  .live = true },
	HD_OPTION_END,
};
static const struct hd_metric metrics[] = {
	HD_METRIC(struct plus_numbers, pages, "plus_pages_total", NULL,
		  "Pages that were shown"),
	HD_METRIC_END,
};

/* Nothing is thrown out of a callback: the core is C. */
static void on_page(struct hd_module *mod, struct hd_request *req) noexcept
{
	hd_worker *w = hd_request_worker(req);
	auto *conf = static_cast<const plus_conf *>(
		hd_module_worker_conf(mod, w));
	auto *data = static_cast<plus_worker *>(hd_module_worker_data(mod, w));
	auto *numbers = static_cast<plus_numbers *>(hd_metrics(mod, w));
	std::string page = std::string(conf->text) + " " +
			   std::to_string(++data->pages) + "\n";

	hd_count(&numbers->pages, 1);
	hd_reply(req, 200, "text/plain", page.data(), page.size());
}

static const struct hd_route route = { .path = "/plus",
				       .methods = HD_HTTP_GET,
				       .answer = on_page };

static int plus_load(struct hd_module *mod, struct hd_error *err) noexcept
{
	return hd_route_add(mod, &route, err);
}

HD_MODULE(plus, .state_version = 1, .version = "1.0", .licence = "MIT",
	  .summary = "a module in C++", .options = options,
	  .metrics = metrics, .conf_size = sizeof(struct plus_conf),
	  .worker_size = sizeof(struct plus_worker),
	  .metrics_size = sizeof(struct plus_numbers), .load = plus_load);
