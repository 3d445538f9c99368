-- What a person does in Neovim, in an open template: tells it as JSON in the file $TOLD.
local told = {}

local function at(text)
  vim.fn.cursor(1, 1)
  assert(vim.fn.search('\\V' .. text, 'ceW') > 0, text .. ' is not there')
end

local function wait(what, is_so)
  assert(vim.wait(60000, is_so, 50), what .. ' never came')
end

local function lines(buffer)
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n')
end

local function session()
  local template = vim.api.nvim_get_current_buf()
  wait('a diagnostic', function() return #vim.diagnostic.get(template) > 0 end)
  told.diagnostics = vim.tbl_map(function(d) return d.message end, vim.diagnostic.get(template))

  at('.Values.backend.autoscaling.minReplicas')
  vim.lsp.buf.hover()
  local window
  wait('the hover', function()
    for _, w in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(w).relative ~= '' then window = w end
    end
    return window ~= nil
  end)
  told.hover = lines(vim.api.nvim_win_get_buf(window))
  vim.api.nvim_win_close(window, true)

  at('thebot.labels')
  vim.lsp.buf.definition()
  wait('the definition', function() return vim.api.nvim_get_current_buf() ~= template end)
  told.definition = { vim.fn.expand('%:t'), vim.fn.getline('.') }

  vim.api.nvim_set_current_buf(template)
  at('thebot.labels')
  vim.lsp.buf.rename('thebot.tags')
  wait('the new name', function() return lines(template):find('thebot.tags', 1, true) end)
  told.renamed = lines(template)

  told.hints = #vim.lsp.inlay_hint.get({ bufnr = template })
end

local ok, why = pcall(session)
told.failure = not ok and why or nil
vim.fn.writefile({ vim.json.encode(told) }, vim.env.TOLD)
vim.cmd('qa!')
